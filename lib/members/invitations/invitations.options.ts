import { isKeyPrefix } from '../../access/key-text';
import { integer, kind, milliseconds, text, waiting, withMethod } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import type { InvitationMailer } from './invitation-mailer';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How people are invited. */
export class CheckedInvitationsOptions {
  /** How long an invitation can be accepted, in milliseconds from a minute to 30 days. Default 172,800,000 (48 hours). */
  @Option(milliseconds(MINUTE_MS, 30 * DAY_MS))
  readonly ttlMs: number = 2 * DAY_MS;

  /** The prefix of the secrets, as of `prefix` of API keys. Default `inv`. */
  @Option(kind<string>("give letters and digits in lower case, such as 'inv' or 'acme_inv'", isKeyPrefix))
  readonly prefix: string = 'inv';

  /** How many invitations of a tenant may be pending, 1 to 100,000. Default 1,000. */
  @Option(integer(1, 100_000))
  readonly maxPending: number = 1_000;

  /**
   * The page of yours on which invited people accept: `https://app.example.com/join`. The link in the mail has the secret
   * behind `#`, so that it is in no server's log. Default none: mails have no link.
   */
  @Option(text("give an http:// or https:// URL without '#'", isPage))
  readonly acceptUrl?: string;

  /** Sends the mails. Default none: show or send the secret yourself. @see docs/members.md#mails */
  @Option(
    withMethod<InvitationMailer>('sendInvitation', 'give an InvitationMailer, such as nodemailerMailer()'),
  )
  readonly mailer?: InvitationMailer;

  /** How long the mailer may take, in milliseconds from 1. Default 10,000. */
  @Option(waiting(1))
  readonly mailTimeoutMs: number = 10_000;
}

function isPage(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url) && !url.includes('#');
}
