// Which tab of this browser leads: the one that has the lock. When it closes, the next in line has it.

/** The part of `navigator.locks` that an election needs. */
export type Locks = {
  request(name: string, options: { steal?: boolean }, held: () => Promise<never>): Promise<unknown>;
};

/** Calls `lead` when this tab leads, and `resign` when another took that away. Without locks each tab leads itself. */
export function elect(name: string, locks: Locks | undefined, lead: () => void, resign: () => void): { steal(): void } {
  if (!locks) {
    lead();
    return { steal() {} };
  }
  let waiting = false;
  const request = (steal: boolean) => {
    let held = false;
    const hold = () => {
      held = true;
      if (!steal) waiting = false;
      lead();
      return new Promise<never>(() => {});
    };
    locks.request(name, steal ? { steal } : {}, hold).catch(() => {
      // Held and then taken away; or never given at all, because locks are forbidden here.
      if (!held) return lead();
      resign();
      if (!waiting) wait();
    });
  };
  const wait = () => {
    waiting = true;
    request(false);
  };
  wait();
  return { steal: () => request(true) };
}
