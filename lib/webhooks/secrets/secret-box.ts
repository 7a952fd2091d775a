import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { WebhookSecretUnreadableError } from '../webhooks.errors';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A secret as a row holds it. */
export interface BoxedSecret {
  readonly keyId: string;
  /** Initialization vector, tag, and the encrypted text. */
  readonly ciphertext: Buffer;
}

/**
 * Encrypts secrets with keys of the application, so that the database alone does not reveal them. `row` ties a secret to
 * where it stands: moved to another row, it cannot be read.
 */
export class SecretBox {
  readonly #keys: ReadonlyMap<string, Buffer>;

  /** @param keys 32 bytes in base64, by their ids */
  constructor(
    keys: Readonly<Record<string, string>>,
    /** The id of the key for new secrets. */
    readonly keyId: string,
  ) {
    this.#keys = new Map(Object.entries(keys).map(([id, key]) => [id, Buffer.from(key, 'base64')]));
  }

  close(secret: string, row: string): BoxedSecret {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keys.get(this.keyId)!, iv).setAAD(Buffer.from(row));
    const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
    return { keyId: this.keyId, ciphertext: Buffer.concat([iv, cipher.getAuthTag(), sealed]) };
  }

  /** @throws WebhookSecretUnreadableError when its key is missing or another one, or the row was changed */
  open({ keyId, ciphertext }: BoxedSecret, row: string): string {
    const key = this.#keys.get(keyId);
    if (!key) throw new WebhookSecretUnreadableError(keyId);
    const iv = ciphertext.subarray(0, IV_BYTES);
    const tag = ciphertext.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(row))
        .setAuthTag(tag);
      const sealed = ciphertext.subarray(IV_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(sealed), decipher.final()]).toString();
    } catch (error) {
      throw new WebhookSecretUnreadableError(keyId, { cause: error });
    }
  }
}
