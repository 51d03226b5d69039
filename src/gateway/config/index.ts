export {
  configSchema,
  splitReference,
  type Config,
  type ConfigInput,
  type DeploymentConfig,
  type KeyConfig,
  type ModelConfig,
} from './schema.js'
export type {
  AzureProviderConfig,
  NetworkProviderConfig,
  ProviderConfig,
  RecordedProviderConfig,
  SandboxProviderConfig,
} from './providers-schema.js'
export type { Prices } from './prices.js'
export type { ArmConfig, RoutingConfig } from './routing-schema.js'
export type { ProofConfig } from './proof-schema.js'
export { allowsModel } from './fields.js'
export { closest, didYouMean } from './closest.js'
export { Secret } from './secret.js'
export type { Environment } from './interpolate.js'
export { InvalidConfiguration, problemText, type ConfigProblem } from './problem.js'
export {
  exposureProblem,
  fingerprintOf,
  hasDashboard,
  isLoopback,
  loadConfig,
  parseConfig,
  withAdminKey,
  withKey,
  type LoadedConfig,
  type Overrides,
  type ParseOptions,
} from './load.js'
export {
  defaultConfig,
  discoverConfig,
  discoverProviders,
  loopbackProbe,
  providersFromEnvironment,
  type Discovery,
  type Probe,
} from './discover.js'
export { configJsonSchema, configJsonSchemaText, inputSchemaOf, type JsonSchema } from './json-schema.js'
export { printableConfig, printableYaml } from './effective.js'
export { watchConfig, type ConfigWatcher, type WatchOptions } from './watch.js'
export { importLiteLlm, importedYaml, type ImportedConfig } from './litellm.js'
