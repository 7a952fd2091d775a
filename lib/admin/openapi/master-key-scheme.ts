/** The name of the security scheme that the admin API's calls ask for in an OpenAPI document. */
export const MASTER_KEY_SCHEME = 'X-Master-Key';

interface DocumentConfig {
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * The configuration of an OpenAPI document, with the scheme of the master key added: `SwaggerModule.createDocument(app,
 * withMasterKeyScheme(new DocumentBuilder().build()))`. A module cannot add one by itself.
 */
export function withMasterKeyScheme<Config extends object>(config: Config): Config {
  const { components = {} } = config as DocumentConfig;
  const scheme = { type: 'apiKey', in: 'header', name: 'X-Master-Key', description: 'Of the admin API' };
  const securitySchemes = { ...components.securitySchemes, [MASTER_KEY_SCHEME]: scheme };
  return { ...config, components: { ...components, securitySchemes } };
}
