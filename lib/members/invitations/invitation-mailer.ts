import { Logger } from '@nestjs/common';
import type { Tenant } from '../../registry/tenant';
import type { Invitation } from './invitation';

/** What a mail to an invited person says. */
export interface InvitationMail {
  /** The address. */
  readonly to: string;
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name'>;
  readonly invitation: Invitation;
  /** Whoever has it can accept, if the address is theirs. Keep it out of logs. */
  readonly secret: string;
  /** `acceptUrl` with the secret behind `#`; `undefined` without that option. */
  readonly link: string | undefined;
}

/** What a mail to an owner says. */
export interface RecoveryNotice {
  /** The address. */
  readonly to: string;
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name'>;
  readonly what: 'created' | 'used';
  /** Who has made it, or who has become an owner with it. */
  readonly actor: string;
  readonly reason: string;
}

/** Sends mails about members. Implement it over what your application sends mails with. */
export abstract class InvitationMailer {
  /**
   * Fulfils when the mail was taken. When it rejects, the invitation stays, and its answer says that no mail went out.
   */
  abstract sendInvitation(mail: InvitationMail): Promise<void>;

  /** Tells an owner that a recovery key of their tenant was made, or used. Left out: events tell it alone. */
  sendRecoveryNotice?(notice: RecoveryNotice): Promise<void>;
}

/** Writes the link of each invitation to the log. For development: whoever reads the log can accept with it. */
export class LoggingMailer extends InvitationMailer {
  readonly #logger = new Logger('Tenancy');

  sendInvitation({ to, tenant, link, secret }: InvitationMail): Promise<void> {
    this.#logger.log(`Invitation of ${to} to ${tenant.slug}: ${link ?? secret}`);
    return Promise.resolve();
  }

  override sendRecoveryNotice({ to, tenant, what, actor, reason }: RecoveryNotice): Promise<void> {
    this.#logger.log(`To ${to}: a recovery key of ${tenant.slug} was ${what} by ${actor}: ${reason}`);
    return Promise.resolve();
  }
}
