/** The name of the security scheme in an OpenAPI document that the calls of the admin API require. */
export const MASTER_KEY_SCHEME = 'X-Master-Key';

interface DocumentConfig {
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * Adds the scheme of the master key to the configuration of an OpenAPI document: `SwaggerModule.createDocument(app,
 * withMasterKeyScheme(new DocumentBuilder().build()))`. Swagger offers no way for a module to add one itself.
 */
export function withMasterKeyScheme<Config extends object>(config: Config): Config {
  const { components = {} } = config as DocumentConfig;
  const scheme = {
    type: 'apiKey',
    in: 'header',
    name: 'X-Master-Key',
    description: 'A key for the admin API',
  };
  const securitySchemes = { ...components.securitySchemes, [MASTER_KEY_SCHEME]: scheme };
  return { ...config, components: { ...components, securitySchemes } };
}
