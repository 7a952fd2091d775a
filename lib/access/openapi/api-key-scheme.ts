/** The name of the security scheme in an OpenAPI document that the calls for principals require. */
export const API_KEY_SCHEME = 'X-API-Key';

interface DocumentConfig {
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * Adds the scheme of API keys to the configuration of an OpenAPI document: `SwaggerModule.createDocument(app,
 * withApiKeyScheme(new DocumentBuilder().build()))`. Swagger offers no way for a module to add one itself.
 */
export function withApiKeyScheme<Config extends object>(config: Config): Config {
  const { components = {} } = config as DocumentConfig;
  const scheme = { type: 'apiKey', in: 'header', name: API_KEY_SCHEME, description: 'A key of a tenant' };
  const securitySchemes = { ...components.securitySchemes, [API_KEY_SCHEME]: scheme };
  return { ...config, components: { ...components, securitySchemes } };
}
