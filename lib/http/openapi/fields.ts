/** Fields that the documents of several APIs describe, in the form that `ApiProperty` takes. */
export const ID = { type: String, format: 'uuid' };
export const DATE = { type: String, format: 'date-time' };
export const NEXT_CURSOR = { type: String, nullable: true, description: 'null on the last page' };

export const optional = (field: object) => ({ ...field, required: false });

export const PAGE = {
  limit: { type: 'integer', minimum: 1, maximum: 100, default: 50, required: false },
  cursor: optional({ type: String, description: 'nextCursor of the previous page' }),
};

/** The fields of an error's body. */
export const ERROR_FIELDS = {
  statusCode: { type: 'integer', example: 404 },
  code: { type: String, description: 'Stable: match on it', example: 'TENANT_NOT_FOUND' },
  message: { type: String },
  errors: {
    type: 'array',
    required: false,
    description: 'For VALIDATION_FAILED: each field that was refused',
    items: {
      type: 'object',
      required: ['field', 'message'],
      properties: { field: { type: 'string' }, message: { type: 'string' } },
    },
  },
};
