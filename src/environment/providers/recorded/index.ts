export { createRecordedProvider, type RecordedSettings } from './recorded-provider.js'
export { pricesFileOf, readArmPrices } from './prices.js'
