import * as fc from 'fast-check';

/** A mutant that random input kills is killed each time. */
fc.configureGlobal({ seed: 20_261_128 });
