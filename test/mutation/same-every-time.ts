// A mutant that is caught by chance would be a survivor of the next run.

import fc from "fast-check";

fc.configureGlobal({ seed: 1 });
