/** How long a question waits for the answer to the one before; milliseconds. Longer, and the server is silent. */
const WAITS_FOR_THE_LAST = 50;

/**
 * Puts a question that many have at the same time, such as one about the whole cluster, once for all of them. Who asks
 * while it is under way gets the answer to the next one, because that answer is not older than the question.
 * @param keyOf which questions are the same
 */
export function shared<Of, Answer>(
  ask: (of: Of) => Promise<Answer>,
  keyOf: (of: Of) => string,
): (of: Of) => Promise<Answer> {
  /** Questions that are not put yet, and those that are under way. */
  const next = new Map<string, Promise<Answer>>();
  const running = new Map<string, Promise<unknown>>();

  async function put(of: Of, key: string): Promise<Answer> {
    const last = running.get(key);
    await (last === undefined ? nextTurn() : Promise.race([last, pause()]));
    next.delete(key);
    const answer = ask(of);
    const end = answer.then(
      () => undefined,
      () => undefined,
    );
    running.set(key, end);
    void end.then(() => running.get(key) === end && running.delete(key));
    return answer;
  }

  return (of) => {
    const key = keyOf(of);
    const asked = next.get(key) ?? put(of, key);
    next.set(key, asked);
    return asked;
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, WAITS_FOR_THE_LAST));
