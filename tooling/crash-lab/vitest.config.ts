import { packageProject } from '../vitest/project.ts';

export default packageProject('@outwrite/crash-lab');
