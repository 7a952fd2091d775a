import { slugOrId } from '../registry/claim';
import type { MessageTenantReader } from './transports.options';

/** A name that nobody has: slugs and ids are not empty. */
const NOBODY = '';

/**
 * `{ tenant: 'acme', … }` makes the claim `acme`; a value shaped like a uuid is an id. A payload without the field
 * makes none; a value that is no text makes one that names nobody.
 *
 * The field stays in the payload. Whoever can send a message can set it: let only your own services reach the port.
 */
export function fromPayload(field = 'tenant'): MessageTenantReader {
  return (message) => {
    const payload: unknown = message.switchToRpc().getData();
    if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, field)) return undefined;
    const value = (payload as Record<string, unknown>)[field];
    if (value === undefined) return undefined;
    return slugOrId(typeof value === 'string' ? value : NOBODY);
  };
}
