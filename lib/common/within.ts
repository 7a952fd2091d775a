/** No answer came in time. */
export class NoAnswerError extends Error {
  constructor(ms: number) {
    super(`No answer within ${ms} ms.`);
  }
}

/** What `answer` gives, if it comes within `ms`. @throws NoAnswerError when it does not */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NoAnswerError(ms)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
