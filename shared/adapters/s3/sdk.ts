/**
 * The SDK as a module of its own, to be loaded with the first store. Loaded by its package's name it would lose the names of its parts
 * in a bundle of several files, since it is CommonJS.
 */
import * as sdk from "@aws-sdk/client-s3";

export { sdk };
