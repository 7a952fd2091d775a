import { integer, isText, secret, texts } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { isIpRange } from '../http/allowed-ips';

export const DOMAINS_OPTIONS = Symbol('DOMAINS_OPTIONS');

/** Shorter ones can be guessed. */
const MIN_SECRET_LENGTH = 16;

export class CheckedDomainsOptions {
  /**
   * Addresses and ranges from which `GET /domains/ask` is answered, such as those of your proxies: `10.0.0.0/8`. Others are
   * answered 404. The address is that of the connection, whatever headers say. Default: every address.
   */
  @Option(texts('give addresses or ranges, such as 10.0.0.0/8', isIpRange), {
    variable: 'TENANCY_DOMAINS_ALLOWED_IPS',
  })
  readonly allowedIps: readonly string[] = [];

  /**
   * What callers must send as `?secret=` besides the domain: at least 16 characters. Callers that do not send it
   * are answered 404.
   * Default none.
   */
  @Option(
    secret<string>(
      `give a text of at least ${MIN_SECRET_LENGTH} characters`,
      (value) => isText(value) && value.length >= MIN_SECRET_LENGTH,
    ),
  )
  readonly secret?: string;

  /**
   * How many questions an instance answers in a minute: an integer from 1. Further ones are answered 429. Default 600. A
   * certificate is asked for once for each host, and once more when it is renewed.
   */
  @Option(integer(1), { variable: 'TENANCY_DOMAINS_ASKS_PER_MINUTE' })
  readonly asksPerMinute: number = 600;
}

export type TenancyDomainsOptions = Given<CheckedDomainsOptions>;
