import { EventRefusedError } from '../events.errors';

/** How long the JSON text of an event's data may be, in bytes. What is longer belongs in a table that the event names. */
export const MAX_EVENT_BYTES = 65_536;

const MAX_TYPE_LENGTH = 100;
const MAX_SUBJECT_LENGTH = 200;

/** Two words or more, with dots between. Linear: each character has one way to match. */
const TYPE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*)+$/;

/** What the types of this package's own events begin with: nobody else may say that a tenant was suspended. */
export const OWN_NOUNS: readonly string[] = [
  ...['tenant', 'api-key', 'setting', 'quota', 'job', 'timer', 'template'],
  ...['member', 'invitation', 'support-session', 'webhook'],
];

/** @throws EventRefusedError */
export function checkType(type: unknown): string {
  const refuse = (why: string) =>
    new EventRefusedError(`its type ${JSON.stringify(type)?.slice(0, 120)} ${why}`);
  if (typeof type !== 'string' || type.length > MAX_TYPE_LENGTH || !TYPE.test(type))
    throw refuse(
      'is none: give a noun and a verb in the past, as in "order.shipped", with a-z, 0-9, "-" and ".", ' +
        `at most ${MAX_TYPE_LENGTH} characters`,
    );
  const [noun] = type.split('.');
  if (OWN_NOUNS.includes(noun))
    throw refuse(`begins with "${noun}.", as the events of nestjs-tenancy itself do: take another noun`);
  return type;
}

/** @throws EventRefusedError */
export function checkSubject(subject: unknown): string | null {
  if (subject === undefined || subject === null) return null;
  if (typeof subject !== 'string' || subject.length === 0 || subject.length > MAX_SUBJECT_LENGTH)
    throw new EventRefusedError(`its subject is not a text of 1 to ${MAX_SUBJECT_LENGTH} characters`);
  if (!isStorable(subject)) throw new EventRefusedError(`its subject ${UNSTORABLE}`);
  return subject;
}

/** The data's JSON text. @throws EventRefusedError */
export function checkData(data: unknown): string {
  const json = toJson(data);
  if (json === undefined)
    throw new EventRefusedError('its data is no JSON: give an object, a list, a text, a number or null');
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_EVENT_BYTES)
    throw new EventRefusedError(
      `its data has ${bytes} bytes as JSON, and at most ${MAX_EVENT_BYTES} are kept: keep it in a table, and name its row`,
    );
  return json;
}

const UNSTORABLE = 'holds a NUL or half of a surrogate pair, which PostgreSQL keeps in no JSON';

/** `undefined` of what JSON leaves out. */
function toJson(data: unknown): string | undefined {
  try {
    return JSON.stringify(data, (key, value: unknown) => {
      if (!isStorable(key) || (typeof value === 'string' && !isStorable(value)))
        throw new EventRefusedError(`its data ${UNSTORABLE}`);
      return value;
    });
  } catch (error) {
    if (error instanceof EventRefusedError) throw error;
    // A circle, a BigInt, a toJSON() that throws, or what is nested too deeply.
    throw new EventRefusedError(
      `its data cannot be made JSON: ${(error as Error).message.split('\n', 1)[0]}`,
      {
        cause: error,
      },
    );
  }
}

const isStorable = (text: string): boolean => !/\0|\p{Surrogate}/u.test(text);
