import { storableText } from '../../common/storable';

/** How long the JSON text of an event's data may be, in bytes. What is longer belongs in a table that the event names. */
export const MAX_EVENT_BYTES = 65_536;

/** Lists and objects within each other. A reader that goes down into the data has its stack to spare. */
const MAX_DEPTH = 500;

export const MAX_TYPE_LENGTH = 100;
export const MAX_SUBJECT_LENGTH = 200;
const MAX_ACTOR_TYPE_LENGTH = 50;
export const MAX_ACTOR_ID_LENGTH = 2_000;

/** Two words or more, with dots between. Linear: each character has one way to match. */
const TYPE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*)+$/;
const ACTOR_TYPE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** What the types of this package's own events begin with: nobody else may say that a tenant was suspended. */
const OWN_NOUNS: readonly string[] = [
  ...['tenant', 'api-key', 'setting', 'quota', 'job', 'timer', 'template'],
  ...['member', 'invitation', 'support', 'recovery-key', 'webhook'],
];

/** Who stands above the tenants: no code that runs for a tenant may say that it was one of them. */
const OWN_ACTORS: readonly string[] = ['operator', 'cli'];

/** What the code of an application says of an event. `data`: the JSON's text. */
export interface SaidEvent {
  readonly type: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly subject: string | null;
  readonly data: string;
}

/** Why an event that was not checked before may not be in the trail. `undefined`: it may. */
export function faultOfEvent({ type, actorType, actorId, subject, data }: SaidEvent): string | undefined {
  return (
    faultOfType(type) ??
    faultOfActor(actorType, actorId) ??
    faultOfSubject(subject) ??
    faultOfJson(data) ??
    faultOfTexts(data)
  );
}

export function faultOfType(type: unknown): string | undefined {
  const named = `its type ${shown(type)}`;
  if (typeof type !== 'string' || type.length > MAX_TYPE_LENGTH || !TYPE.test(type))
    return (
      `${named} is none: give a noun and a verb in the past, as in "order.shipped", with a-z, 0-9, "-" and ".", ` +
      `at most ${MAX_TYPE_LENGTH} characters`
    );
  const [noun] = type.split('.');
  if (OWN_NOUNS.includes(noun))
    return `${named} begins with "${noun}.", as the events of nestjs-tenancy itself do: take another noun`;
  return undefined;
}

export function faultOfActor(type: unknown, id: unknown): string | undefined {
  const named = `its actor's type ${shown(type)}`;
  if (typeof type !== 'string' || type.length > MAX_ACTOR_TYPE_LENGTH || !ACTOR_TYPE.test(type))
    return `${named} is none: give a word of a-z, 0-9 and "-", at most ${MAX_ACTOR_TYPE_LENGTH} characters`;
  if (OWN_ACTORS.includes(type)) return `${named} is of those who act on tenants, not for one: take another`;
  if (id === null) return undefined;
  if (typeof id !== 'string' || id.length === 0 || id.length > MAX_ACTOR_ID_LENGTH)
    return `its actor's id is neither null nor a text of 1 to ${MAX_ACTOR_ID_LENGTH} characters`;
  return isUnstorable(id) ? `its actor's id ${UNSTORABLE}` : undefined;
}

export function faultOfSubject(subject: unknown): string | undefined {
  if (subject === null) return undefined;
  if (typeof subject !== 'string' || subject.length === 0 || subject.length > MAX_SUBJECT_LENGTH)
    return `its subject is not a text of 1 to ${MAX_SUBJECT_LENGTH} characters`;
  return isUnstorable(subject) ? `its subject ${UNSTORABLE}` : undefined;
}

/** Of the size and the shape of a JSON text. */
export function faultOfJson(json: string): string | undefined {
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_EVENT_BYTES)
    return `its data has ${bytes} bytes as JSON, and at most ${MAX_EVENT_BYTES} are kept: keep it in a table, and name its row`;
  if (depthOf(json) > MAX_DEPTH)
    return `its data is nested too deeply: at most ${MAX_DEPTH} lists and objects may be within each other`;
  return undefined;
}

/** Another program than ours may write texts as JSON that PostgreSQL cannot keep as a text. */
function faultOfTexts(json: string): string | undefined {
  let fault: string | undefined;
  JSON.parse(json, (key, value: unknown) => {
    if (isUnstorable(key) || isUnstorable(value)) fault = `its data ${UNSTORABLE}`;
    return value;
  });
  return fault;
}

export const UNSTORABLE = 'holds a NUL or half of a surrogate pair, which PostgreSQL keeps in no JSON';

/** Only texts can be. */
export const isUnstorable = (value: unknown): boolean =>
  typeof value === 'string' && storableText(value) !== value;

function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}

const shown = (value: unknown) =>
  JSON.stringify(typeof value === 'string' ? value.slice(0, 118) : value)?.slice(0, 120);
