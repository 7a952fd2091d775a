/** The name of the security scheme that the calls for principals ask for in an OpenAPI document. */
export const API_KEY_SCHEME = 'X-API-Key';

interface DocumentConfig {
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * The configuration of an OpenAPI document, with the scheme of API keys added: `SwaggerModule.createDocument(app,
 * withApiKeyScheme(new DocumentBuilder().build()))`. A module cannot add one by itself.
 */
export function withApiKeyScheme<Config extends object>(config: Config): Config {
  const { components = {} } = config as DocumentConfig;
  const scheme = { type: 'apiKey', in: 'header', name: API_KEY_SCHEME, description: 'A key of a tenant' };
  const securitySchemes = { ...components.securitySchemes, [API_KEY_SCHEME]: scheme };
  return { ...config, components: { ...components, securitySchemes } };
}
