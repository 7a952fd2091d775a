/** What the first key of a tenant may do: all that there is for tenants. */
export const FIRST_KEY_SCOPES = ['keys:*', 'orders:*'];
