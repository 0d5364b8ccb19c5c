// The cluster behind the page that people sign in to: accounts are made there, and tokens for them.
import { readFileSync } from "node:fs";
import { request } from "node:https";

export const GUARDED = "http://127.0.0.1:8097";
const KUBECONFIG = "test-data/guarded/kubeconfig";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

/** What an administrator's POST is answered with. */
async function create(path: string, object: unknown): Promise<{ status?: { token?: string } }> {
  const text = readFileSync(KUBECONFIG, "utf8");
  const find = (what: RegExp) => what.exec(text)?.[1] ?? "";
  const url = new URL(path, find(/server: "([^"]+)"/));
  const ca = Buffer.from(find(/certificate-authority-data: ([^}\s]+)/), "base64");
  const authorization = `Bearer ${find(/token: "([^"]+)"/)}`;
  return new Promise((done, failed) => {
    const headers = { authorization, "content-type": "application/json" };
    const asked = request(url, { method: "POST", ca, headers }, (answer) => {
      let body = "";
      answer.on("data", (part) => {
        body += part;
      });
      // What is there already is good enough.
      answer.on("end", () =>
        answer.statusCode === 201 || answer.statusCode === 409 ? done(JSON.parse(body)) : failed(new Error(body)),
      );
    });
    asked.on("error", failed);
    asked.end(JSON.stringify(object));
  });
}

/** A token of an account that may do this in the whole cluster. */
export async function token(name: string, rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[]) {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await create(accounts, { metadata: { name } });
  await create(`${RBAC}/clusterroles`, { metadata: { name }, rules });
  await create(`${RBAC}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
  });
  const issued = await create(`${accounts}/${name}/token`, {
    spec: { audiences: ["keelson"], expirationSeconds: 86_400 },
  });
  return issued.status?.token ?? "";
}

export const DOOR = { apiGroups: ["keelson.dev"], resources: ["platforms"], verbs: ["get"] };
export const EVERYTHING = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };
