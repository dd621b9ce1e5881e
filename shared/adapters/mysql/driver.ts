/**
 * The driver as a module of its own, to be loaded with the first connection: it is a megabyte that nobody needs before the API server
 * has said where servers are. Loaded by its package's name it would lose the names of its parts in a bundle, since it is CommonJS.
 */
export { createConnection } from "mysql2";
