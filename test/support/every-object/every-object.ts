import { RELATIONS } from './relations';
import { ROUTINES } from './routines';
import { ROLES, SECURITY } from './security';

/** Every kind of object that a schema can hold and a clone must have, by subject. Runs on PostgreSQL 15 and later. */
export const EVERY_OBJECT: Readonly<Record<string, string>> = { ...RELATIONS, ...ROUTINES, ...SECURITY };

/** What the scripts find in the database: a schema that is not cloned, and roles. */
export const SURROUNDINGS = [
  `CREATE SCHEMA IF NOT EXISTS shared`,
  `CREATE TABLE IF NOT EXISTS shared.countries (code char(2) PRIMARY KEY)`,
  // Another test file may have made them: roles belong to the server.
  ...ROLES.map(
    (role) =>
      `DO $do$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$`,
  ),
];
