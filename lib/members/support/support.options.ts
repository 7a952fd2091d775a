import { isKeyPrefix } from '../../access/key-text';
import { kind, oneOf } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { SUPPORT_ACCESS, type SupportAccess } from './support-session';

/** How people who support the application enter tenants. */
export class CheckedSupportOptions {
  /** `never`, `ask` or `allowed`, for tenants that have not said it themselves. Default `ask`. */
  @Option(oneOf(...SUPPORT_ACCESS))
  readonly access: SupportAccess = 'ask';

  /** The prefix of the credentials, as of `prefix` of API keys. Default `sup`. */
  @Option(kind<string>("give letters and digits in lower case, such as 'sup' or 'acme_sup'", isKeyPrefix))
  readonly prefix: string = 'sup';

  /** The prefix of recovery keys. Default `rec`. */
  @Option(kind<string>("give letters and digits in lower case, such as 'rec' or 'acme_rec'", isKeyPrefix))
  readonly recoveryPrefix: string = 'rec';
}
