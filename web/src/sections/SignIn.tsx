// What stands in the page's place while nobody is signed in, or somebody who is not let in.
import { createSignal, Match, onCleanup, onMount, Show, Switch } from "solid-js";
import type { Session } from "../api/types";
import { failure, look, screen, session, signIn, signOut } from "../live/session";
import { ThemeSwitch } from "../ui/Theme";

export function SignIn(props: { session: Session; left: boolean }) {
  document.title = "Sign in · Keelson";
  // Signed in by another tab: this one begins anew as well.
  const visible = async () => {
    if (document.visibilityState !== "visible") return;
    await look();
    if (screen(session()) === "page") location.reload();
  };
  onMount(() => document.addEventListener("visibilitychange", visible));
  onCleanup(() => document.removeEventListener("visibilitychange", visible));
  return (
    <main class="sign-in" id="main">
      <div class="sign-in-card">
        <p class="brand">
          <svg width="30" height="30" viewBox="0 0 22 22" aria-hidden="true">
            <path d="M2 7c2 8 6 12 9 12s7-4 9-12" />
            <path class="ribs" d="M11 3v16M6 8v6.6M16 8v6.6" />
          </svg>
          Keelson
        </p>
        <h1>{screen(props.session) === "stranger" ? "You are not let in" : "Sign in"}</h1>
        <Show when={props.left}>
          <p class="banner warn" role="status">
            You are signed out.
          </p>
        </Show>
        <Switch>
          <Match when={screen(props.session) === "token"}>
            <WithToken />
          </Match>
          <Match when={screen(props.session) === "oidc"}>
            <Problem said={failure(location.search)} />
            <p>Your organisation says who you are, and the cluster what you may see.</p>
            <a class="button primary wide" href="/api/v1/sign-in">
              Sign in
            </a>
          </Match>
          <Match when={screen(props.session) === "proxy"}>
            <p>People sign in at a proxy in front of Keelson. Open Keelson by the proxy's address.</p>
          </Match>
          <Match when={screen(props.session) === "stranger"}>
            <p>
              You are signed in as <b class="who">{props.session.user}</b>, who may not see Keelson in this cluster. Ask
              for a role that may <code>get</code> <code>platforms.keelson.dev</code>.
            </p>
            <Show when={props.session.sign_in !== "proxy"}>
              <button type="button" class="wide" onClick={() => void signOut()}>
                Sign out
              </button>
            </Show>
          </Match>
        </Switch>
        <ThemeSwitch />
      </div>
    </main>
  );
}

function WithToken() {
  let input: HTMLInputElement | undefined;
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  onMount(() => input?.focus());
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    setProblem(await signIn(input?.value ?? ""));
    setBusy(false);
    if (problem()) input?.select();
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <label for="token">Token</label>
      <input
        ref={input}
        id="token"
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        maxlength={8_192}
        aria-describedby="token-hint"
        aria-invalid={problem() ? true : undefined}
      />
      <p class="hint" id="token-hint">
        The cluster makes one: <code>kubectl create token NAME -n NAMESPACE --audience keelson</code>
      </p>
      <Problem said={problem()} />
      <button type="submit" class="primary wide" disabled={busy()}>
        {busy() ? "Signing in …" : "Sign in"}
      </button>
    </form>
  );
}

function Problem(props: { said: string }) {
  return (
    <Show when={props.said}>
      <p class="banner bad" role="alert">
        {props.said}
      </p>
    </Show>
  );
}
