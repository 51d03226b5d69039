export { guided, guidingPays, type GuideDirection, type GuidedOptions, type GuidePrices } from './guided.js'
export { citeAlike, quotesHold, readRationale, type Rationale } from './rationale.js'
