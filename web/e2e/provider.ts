// A real identity provider, in this process: people sign in with any name, and are who they say.
import type { Server } from "node:http";
import Provider from "oidc-provider";
import { OIDC } from "./cluster";

const PORT = 8095;
/** What Keelson is told of it on its command line. */
export const CLIENT = { id: "keelson", secret: "a-secret-that-only-these-tests-know" };

export async function provider(): Promise<Server> {
  const issuer = new Provider(`http://127.0.0.1:${PORT}`, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [`${OIDC}/api/v1/sign-in/callback`],
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    pkce: { required: () => true },
    scopes: ["openid", "email", "groups"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["not", "secret"] },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: id !== "unverified",
        groups: ["platform", "system:masters"],
      }),
    }),
  });
  return new Promise((ready) => {
    const server = issuer.listen(PORT, "127.0.0.1", () => ready(server));
  });
}
