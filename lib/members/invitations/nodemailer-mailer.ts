import { checkArguments } from '../../common/options/check-options';
import { callback, text, withMethod } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';
import { type InvitationMail, InvitationMailer, type RecoveryNotice } from './invitation-mailer';

/** A mail as nodemailer takes it. An address of its own cannot be read as several. */
export interface NodemailerMessage {
  readonly from: string;
  readonly to: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly text: string;
}

/** What nodemailer's `createTransport()` gives. */
export interface NodemailerTransport {
  sendMail(message: NodemailerMessage): Promise<unknown>;
}

type MailText = (mail: InvitationMail) => string;

export class CheckedNodemailerOptions {
  /** What `createTransport()` of nodemailer gives. */
  @Option(withMethod<NodemailerTransport>('sendMail', 'give what createTransport() of nodemailer gives'), {
    required: true,
  })
  readonly transport!: NodemailerTransport;

  /** The sender: `Shop <no-reply@shop.example>`. */
  @Option(text("give an address such as 'Shop <no-reply@shop.example>'"), { required: true })
  readonly from!: string;

  /** Default: `Invitation to <name of the tenant>`. */
  @Option(callback<MailText>('give a function of an InvitationMail'))
  readonly subject: MailText = ({ tenant }) => `Invitation to ${tenant.name}`;

  /** The body, as plain text. Default: a few lines in English, with the link. */
  @Option(callback<MailText>('give a function of an InvitationMail'))
  readonly text: MailText = standardText;
}

export type NodemailerMailerOptions = Given<Omit<CheckedNodemailerOptions, 'transport' | 'from'>> &
  Pick<CheckedNodemailerOptions, 'transport' | 'from'>;

/**
 * Sends invitations with nodemailer: `nodemailerMailer({ transport: createTransport('smtp://…'), from })`.
 *
 * @throws TypeError for options that it cannot work with
 */
export function nodemailerMailer(given: NodemailerMailerOptions): InvitationMailer {
  return new NodemailerMailer(checkArguments('nodemailerMailer()', CheckedNodemailerOptions, given));
}

class NodemailerMailer extends InvitationMailer {
  constructor(private readonly options: CheckedNodemailerOptions) {
    super();
  }

  async sendInvitation(mail: InvitationMail): Promise<void> {
    const { transport, from, subject, text: body } = this.options;
    const to = { name: '', address: mail.to };
    await transport.sendMail({ from, to, subject: oneLine(subject(mail)), text: body(mail) });
  }

  override async sendRecoveryNotice({ to, tenant, what, actor, reason }: RecoveryNotice): Promise<void> {
    const { transport, from } = this.options;
    await transport.sendMail({
      from,
      to: { name: '', address: to },
      subject: oneLine(`A recovery key for ${tenant.name} was ${what}`),
      text:
        `A recovery key for ${oneLine(tenant.name)} was ${what} by ${oneLine(actor)}. Who presents it becomes an owner.` +
        `\n\nThe reason given: ${oneLine(reason)}\n`,
    });
  }
}

/** Tenants choose their names: a line feed must not begin another header. */
function oneLine(subject: string): string {
  return subject.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
}

function standardText({ tenant, link, secret, invitation }: InvitationMail): string {
  return [
    `You are invited to ${oneLine(tenant.name)}.`,
    link === undefined ? `Your invitation: ${secret}` : `Accept or decline: ${link}`,
    `It can be accepted until ${invitation.expiresAt.toISOString()}, once, and by you alone: do not pass it on.`,
  ].join('\n\n');
}
