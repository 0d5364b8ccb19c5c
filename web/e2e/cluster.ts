// The clusters behind the pages that people sign in to: accounts are made there, tokens for them, and roles.
import { readFileSync } from "node:fs";
import { request } from "node:https";

/** Where people sign in with a token, and where at a provider. */
export const GUARDED = "http://127.0.0.1:8097";
export const OIDC = "https://127.0.0.1:8096";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

/** What an administrator's POST is answered with. */
async function create(path: string, object: unknown, at = "guarded"): Promise<{ status?: { token?: string } }> {
  const text = readFileSync(`test-data/${at}/kubeconfig`, "utf8");
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

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/** Lets somebody do this in the whole cluster. */
async function allow(name: string, subject: object, rules: Rule[], at?: string): Promise<void> {
  await create(`${RBAC}/clusterroles`, { metadata: { name }, rules }, at);
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
  await create(`${RBAC}/clusterrolebindings`, { metadata: { name }, roleRef, subjects: [subject] }, at);
}

/** A token of an account that may do this in the whole cluster. */
export async function token(name: string, rules: Rule[]): Promise<string> {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await create(accounts, { metadata: { name } });
  await allow(name, { kind: "ServiceAccount", name, namespace: "default" }, rules);
  const issued = await create(`${accounts}/${name}/token`, {
    spec: { audiences: ["keelson"], expirationSeconds: 86_400 },
  });
  return issued.status?.token ?? "";
}

/** Lets somebody whom the provider names do this in the whole cluster. */
export const allowUser = (name: string, rules: Rule[]): Promise<void> =>
  allow("user", { apiGroup: "rbac.authorization.k8s.io", kind: "User", name }, rules, "oidc");

export const DOOR = { apiGroups: ["keelson.dev"], resources: ["platforms"], verbs: ["get"] };
export const EVERYTHING = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };
