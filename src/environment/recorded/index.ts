export { recordedEnvironment, type RecordedEnvironment, type RecordedOptions } from './recorded-environment.js'
