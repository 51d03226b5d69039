export { auction, type AuctionAgent, type AuctionOptions } from './auction.js'
export { auctioned, type AuctionedOptions } from './auctioned.js'
export { auctionMemory, type AuctionMemory, type AuctionMemoryOptions, type AuctionRecord } from './auction-memory.js'
export {
  juryScores,
  learnWeights,
  minMax,
  initialWeights,
  planEntropy,
  settle,
  type AuctionWeights,
  type Bid,
  type BidSigns,
  type ScoredBid,
} from './bids.js'
