import { slugOrId } from '../registry/claim';
import type { MessageTenantReader } from './transports.options';

/** A name that no tenant can have, because slugs and ids are not empty. */
const NOBODY = '';

/**
 * Reads the tenant from a field of the payload: `{ tenant: 'acme', … }` makes the claim `acme`; a value with the form
 * of a uuid is an id. A payload without the field makes no claim; a value that is not text makes a claim of an unknown
 * tenant.
 *
 * The field stays in the payload. Anyone who can send a message can set it, so let only your own services reach the
 * port.
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
