/**
 * Runs before every test file: the expensive invariant checks (`verify`) are on in all tests, and what fast-check generates is drawn from
 * `OUTWRITE_SEED` where that is set. A failing property prints its seed; given in that variable it fails again.
 *
 * `assert.ts` is imported by path and not by name, so that it is the very module that the package under test uses.
 */
import fc from 'fast-check';
import { setVerification } from '../../packages/blockdev/src/assert.ts';

setVerification(true);

const { OUTWRITE_SEED: seed } = process.env;
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) | 0 });
