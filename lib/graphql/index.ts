/**
 * Subscriptions of GraphQL, and DataLoaders that tenants do not share.
 *
 * @module nestjs-tenancy/graphql
 */

export { TenancyGraphqlModule } from './tenancy-graphql.module';
export { type TenancyGraphqlOptions } from './graphql.options';
export {
  type GraphqlWsSubscriptions,
  type MercuriusSubscriptions,
  TenantSubscriptions,
} from './tenant-subscriptions';
export { TenantTopics } from './tenant-topics';
export { tenantLoader, type TenantLoader, type TenantLoaderOptions } from './tenant-loader';
export { InvalidGraphqlOptionsError } from './graphql.errors';
