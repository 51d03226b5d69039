export { createSandboxProvider, type SandboxSettings } from './sandbox-provider.js'
export { SANDBOX_MODELS, type SandboxModel } from './models.js'
