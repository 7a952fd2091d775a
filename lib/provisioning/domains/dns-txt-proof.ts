import { Resolver } from 'node:dns/promises';
import { checkArguments } from '../../common/options/check-options';
import { text, waiting, withMethod } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { within } from '../../common/within';
import type { DomainProof } from './domain-proof';
import { DomainNotProvenError } from '../provisioning.errors';

/** What asks DNS. A `Resolver` of `node:dns/promises` is one. */
export interface TxtResolver {
  /**
   * The TXT records of a name, each as its chunks of at most 255 bytes. Rejects with the code `ENOTFOUND` or `ENODATA`
   * of `node:dns` when there are none; any other failure is taken for an outage.
   */
  resolveTxt(name: string): Promise<string[][]>;
}

const LABEL = /^[a-z0-9_-]{1,63}$/;

export class CheckedDnsTxtProofOptions {
  /** The label in front of the domain, 1 to 63 characters of `[a-z0-9_-]`. Default `_tenancy`. */
  @Option(text('give 1 to 63 characters of a-z, 0-9, _ and -', (value) => LABEL.test(value)))
  readonly prefix: string = '_tenancy';

  /** How long one question may take, all tries together, in milliseconds from 1. Default 5,000. */
  @Option(waiting(1))
  readonly timeoutMs: number = 5_000;

  /** Default: the name servers of the machine, each question tried twice. */
  @Option(
    withMethod<TxtResolver>(
      'resolveTxt',
      'give an object with resolveTxt(name), such as a Resolver of node:dns/promises',
    ),
  )
  readonly resolver?: TxtResolver;
}

export type DnsTxtProofOptions = Given<CheckedDnsTxtProofOptions>;

/** RFC 1035, 2.3.4, without the trailing dot. */
const MAX_NAME_LENGTH = 253;

/** UDP loses packets. */
const TRIES = 2;

/** NXDOMAIN, and a name without TXT records: DNS has answered that there are none. */
const ABSENT: readonly unknown[] = ['ENOTFOUND', 'ENODATA'];

/**
 * A tenant owns `shop.acme.com` when `_tenancy.shop.acme.com` has the TXT record `tenant=<id of the tenant>`, alone or
 * beside others. For `*.acme.com` the name is `_tenancy.acme.com`, as it is for `acme.com`.
 *
 * @throws TypeError when the prefix is not a DNS label, the timeout not an integer from 1, the resolver lacks resolveTxt(),
 * or an option is unknown
 */
export function dnsTxtProof(options: DnsTxtProofOptions = {}): DomainProof {
  const { prefix, timeoutMs, resolver } = checkArguments('dnsTxtProof()', CheckedDnsTxtProofOptions, options);
  return {
    async prove(domain, { id, slug }) {
      const name = `${prefix}.${domain.replace(/^\*\./, '')}`;
      if (name.length > MAX_NAME_LENGTH) {
        const why = `DNS cannot hold the name ${name}, which is longer than ${MAX_NAME_LENGTH} characters`;
        throw new DomainNotProvenError(domain, slug, why);
      }
      const wanted = `tenant=${id}`;
      const records = await lookUp(name, timeoutMs, resolver);
      if (records.some((chunks) => chunks.join('') === wanted)) return;
      const remedy = `publish the DNS record ${name}. TXT "${wanted}" and try again once DNS shows it`;
      throw new DomainNotProvenError(domain, slug, remedy);
    },
  };
}

/**
 * The TXT records of the name; an empty list only when DNS answers that there are none. Without an answer it throws.
 */
async function lookUp(name: string, timeoutMs: number, given?: TxtResolver): Promise<string[][]> {
  // A resolver for each question, because cancel() ends all questions of a resolver.
  const own = given ? undefined : new Resolver({ timeout: timeoutOfTry(timeoutMs), tries: TRIES });
  try {
    return await within(timeoutMs, (given ?? own!).resolveTxt(name));
  } catch (error) {
    if (ABSENT.includes((error as { code?: unknown } | undefined)?.code)) return [];
    throw new TenancyUnavailableError(`The DNS for ${name}`, { cause: error });
  } finally {
    own?.cancel();
  }
}

/** Node looks only once in this time for tries that have run out, so one try may last twice as long. */
function timeoutOfTry(timeoutMs: number): number {
  return Math.ceil(timeoutMs / (TRIES + 1));
}
