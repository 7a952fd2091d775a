/** `@nestjs/swagger`, or `undefined` where it is not installed. One that is there and cannot be loaded is an error. */
export async function loadSwagger(): Promise<typeof import('@nestjs/swagger') | undefined> {
  try {
    return await import('@nestjs/swagger');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** What `import` and `require` say; a package that swagger itself lacks is named differently. */
function isAbsent(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return /^(?:ERR_)?MODULE_NOT_FOUND$/.test(String(code)) && /'@nestjs\/swagger'/.test(String(message));
}
