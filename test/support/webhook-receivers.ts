import type {
  WebhookAnswer,
  WebhookRequest,
  WebhookSender,
} from '../../lib/webhooks/deliveries/webhook-sender';

type Receiver = (request: WebhookRequest) => WebhookAnswer | Promise<WebhookAnswer>;

/** Receivers by URL, in place of the network: what each got, and how much of it at once. */
export class FakeReceivers implements WebhookSender {
  readonly requests: WebhookRequest[] = [];
  readonly #receivers = new Map<string, Receiver>();
  readonly #inFlight = new Map<string, number>();
  /** The most requests that any of them had at once, and all of them together. */
  mostAtOnce = 0;
  mostTogether = 0;

  /** What a receiver answers; 204 when nothing else is said. */
  answer(url: string, receiver: Receiver): void {
    this.#receivers.set(url, receiver);
  }

  to(url: string): WebhookRequest[] {
    return this.requests.filter((request) => request.url === url);
  }

  async send(request: WebhookRequest): Promise<WebhookAnswer> {
    const { url } = request;
    this.requests.push(request);
    const inFlight = (this.#inFlight.get(url) ?? 0) + 1;
    this.#inFlight.set(url, inFlight);
    this.mostAtOnce = Math.max(this.mostAtOnce, inFlight);
    const together = [...this.#inFlight.values()].reduce((sum, each) => sum + each, 0);
    this.mostTogether = Math.max(this.mostTogether, together);
    try {
      return await (this.#receivers.get(url)?.(request) ?? { status: 204, durationMs: 1 });
    } finally {
      this.#inFlight.set(url, this.#inFlight.get(url)! - 1);
    }
  }
}
