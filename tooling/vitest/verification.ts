/**
 * Runs before every test file: the expensive invariant checks (`verify`) are on in all tests.
 *
 * Imported by path and not by name, so that it is the very module that the package under test uses.
 */
import { setVerification } from '../../packages/blockdev/src/assert.ts';

setVerification(true);
