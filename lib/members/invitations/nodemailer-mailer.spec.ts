import type { InvitationMail } from './invitation-mailer';
import { nodemailerMailer, type NodemailerMessage } from './nodemailer-mailer';

const mail: InvitationMail = {
  to: 'ann,eve@shop.example',
  tenant: { id: '1', slug: 'acme', name: 'Acme\r\nBcc: eve@shop.example' },
  invitation: { expiresAt: new Date('2030-01-02T03:04:05Z') } as InvitationMail['invitation'],
  secret: 'inv_1',
  link: 'https://app.example.com/join#inv_1',
};
const sent: NodemailerMessage[] = [];
const transport = { sendMail: (message: NodemailerMessage) => Promise.resolve(sent.push(message)) };

it('sends one mail to one address, whatever the tenant is called', async () => {
  await nodemailerMailer({ transport, from: 'Shop <no-reply@shop.example>' }).sendInvitation(mail);
  expect(sent.splice(0)).toEqual([
    {
      from: 'Shop <no-reply@shop.example>',
      to: { name: '', address: 'ann,eve@shop.example' },
      subject: 'Invitation to Acme  Bcc: eve@shop.example',
      text: expect.stringMatching(/https:\/\/app\.example\.com\/join#inv_1[^]*2030-01-02T03:04:05\.000Z/),
    },
  ]);
});

it('says it in the words of the application, and fails when the transport does', async () => {
  const failing = { sendMail: () => Promise.reject(new Error('no such host')) };
  const own = { subject: () => 'Hi', text: ({ secret }: InvitationMail) => secret };
  await nodemailerMailer({ transport, from: 'a@b.example', ...own }).sendInvitation(mail);
  expect(sent.splice(0)).toMatchObject([{ subject: 'Hi', text: 'inv_1' }]);
  await expect(
    nodemailerMailer({ transport: failing, from: 'a@b.example' }).sendInvitation(mail),
  ).rejects.toThrow('no such host');
  expect(() => nodemailerMailer({ transport: {} as never, from: 'a' })).toThrow('transport');
});
