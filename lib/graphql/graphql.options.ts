import { texts } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';

export const GRAPHQL_OPTIONS = Symbol('GRAPHQL_OPTIONS');

export class CheckedGraphqlOptions {
  /**
   * Fields of `connectionParams` (the payload of `connection_init`) that count as headers of the handshake, since a browser
   * can set none: names of headers in lower case. Where the handshake has the header too, it is as if it had come twice.
   * Default `['authorization']`.
   */
  @Option(
    texts("name headers in lower case, such as 'authorization'", (name) =>
      /^[!#$%&'*+.^_`|~\da-z-]+$/.test(name),
    ),
  )
  readonly headers: readonly string[] = ['authorization'];
}

export type TenancyGraphqlOptions = Given<CheckedGraphqlOptions>;
