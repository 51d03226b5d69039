import { stringify } from 'yaml'
import type { Config } from './schema.js'

/** The configuration as plain data, with `[secret]` in place of secrets and without fields that are not set. */
export function printableConfig(config: Config): unknown {
  // Every secret is a `Secret`, whose toJSON hides it.
  return JSON.parse(JSON.stringify(config)) as unknown
}

/** The same as YAML. */
export function printableYaml(config: Config): string {
  return stringify(printableConfig(config), { lineWidth: 0 })
}
