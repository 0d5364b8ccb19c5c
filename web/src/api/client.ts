// Asking the API: one function, one kind of error that says what to do.
export class ApiError extends Error {
  constructor(
    message: string,
    readonly fix: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Whether it was refused to who asked. */
export const refused = (error: unknown): boolean => error instanceof ApiError && error.status === 403;

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answer<T>(fetch(`/api/v1/${path}`, signal ? { signal } : {}));
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return answer<T>(fetch(`/api/v1/${path}`, init));
}

export async function remove(path: string): Promise<void> {
  await answer(fetch(`/api/v1/${path}`, { method: "DELETE" }));
}

async function answer<T>(request: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await request;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("Keelson does not answer", "See whether it still runs; this page tries again by itself.", 0);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  const said = (body as { error?: { message?: string; fix?: string } } | undefined)?.error;
  throw new ApiError(said?.message ?? `the server answered ${response.status}`, said?.fix ?? "", response.status);
}
