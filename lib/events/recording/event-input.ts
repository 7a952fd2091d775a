import {
  faultOfActor,
  faultOfJson,
  faultOfSubject,
  faultOfType,
  isUnstorable,
  UNSTORABLE,
} from '../../registry/events/event-rules';
import type { EventActor } from '../../registry/events/tenant-event';
import { EventRefusedError } from '../events.errors';

/** @throws EventRefusedError */
export function checkType(type: unknown): string {
  refuse(faultOfType(type));
  return type as string;
}

/** @throws EventRefusedError */
export function checkActor({ type, id }: EventActor): EventActor {
  refuse(faultOfActor(type, id));
  return { type, id };
}

/** @throws EventRefusedError */
export function checkSubject(subject: unknown = null): string | null {
  refuse(faultOfSubject(subject));
  return subject as string | null;
}

/** The data's JSON text. @throws EventRefusedError */
export function checkData(data: unknown): string {
  const json = toJson(data);
  if (json === undefined)
    throw new EventRefusedError('its data is no JSON: give an object, a list, a text, a number or null');
  refuse(faultOfJson(json));
  return json;
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new EventRefusedError(fault);
}

/** `undefined` of what JSON leaves out. */
function toJson(data: unknown): string | undefined {
  try {
    return JSON.stringify(data, (key, value: unknown) => {
      if (isUnstorable(key) || isUnstorable(value)) throw new EventRefusedError(`its data ${UNSTORABLE}`);
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
