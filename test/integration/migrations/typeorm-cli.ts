/** TypeORM's own command line, in a process that understands TypeScript as the tests do. */
import 'typeorm/cli.js';
