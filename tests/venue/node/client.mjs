// A program written for Hyperliquid with the TypeScript SDK @nktkas/hyperliquid, unmodified: it asks
// for all it can, trades, and listens, and writes down what it was told, one JSON object a line.
//
//   node client.mjs REST_URL WEBSOCKET_URL PRIVATE_KEY OUT_FILE

import { appendFileSync } from "node:fs";
import * as hl from "@nktkas/hyperliquid";
import { Wallet } from "ethers";
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket; // Node brings its own from version 22 on

const [restUrl, wsUrl, key, out] = process.argv.slice(2);

const own = new Wallet(key);
const user = own.address;
const agentKey = "0x" + "5a".repeat(32);
const http = new hl.HttpTransport({ apiUrl: restUrl, timeout: 20_000 });
const ws = new hl.WebSocketTransport({ url: wsUrl });
const info = new hl.InfoClient({ transport: http });
const exchange = new hl.ExchangeClient({ transport: http, wallet: own });

function note(kind, name, value) {
  appendFileSync(out, JSON.stringify({ kind, name, ...value }) + "\n");
}

// Calls a method of a client and writes down what it gave, or why it failed; gives it back.
async function call(kind, client, name, ...given) {
  try {
    const data = await client[name](...given);
    note(kind, name, { given, data: data === undefined ? null : data });
    return data;
  } catch (error) {
    note(kind, name, { given, error: String(error.message), cause: String(error.cause ?? "") });
    return undefined;
  }
}

const ask = (name, ...given) => call("info", info, name, ...given);
const act = (name, ...given) => call("exchange", exchange, name, ...given);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const order = (p, more = {}) => ({
  a: 0,
  b: true,
  p,
  s: "0.1",
  r: false,
  t: { limit: { tif: "Gtc" } },
  ...more,
});
const trigger = (triggerPx, tpsl, p) =>
  order(p, { b: false, r: true, t: { trigger: { isMarket: true, triggerPx, tpsl } } });
const oidOf = (reply) => {
  const status = reply.response.data.statuses[0];
  return (status.resting ?? status.filled).oid;
};

async function information() {
  await ask("meta");
  await ask("metaAndAssetCtxs");
  await ask("allMids");
  await ask("allPerpMetas");
  await ask("perpDexs");
  await ask("perpsAtOpenInterestCap");
  await ask("perpDeployAuctionStatus");
  await ask("maxMarketOrderNtls");
  await ask("predictedFundings");
  await ask("perpCategories");
  await ask("perpConciseAnnotations");
  await ask("perpAnnotation", { coin: "ETH" });
  await ask("perpDexLimits", { dex: "xyz" });
  await ask("perpDexStatus", { dex: "xyz" });
  await ask("exchangeStatus");
  await ask("spotMeta");
  await ask("spotMetaAndAssetCtxs");
  await ask("marginTable", { id: 25 });
  for (const name of ["meta", "metaAndAssetCtxs", "allMids", "perpsAtOpenInterestCap"]) {
    await ask(name, { dex: "xyz" });
  }
  await ask("l2Book", { coin: "ETH" });
  for (const nSigFigs of [2, 3, 4, 5]) await ask("l2Book", { coin: "ETH", nSigFigs });
  for (const mantissa of [2, 5]) await ask("l2Book", { coin: "ETH", nSigFigs: 5, mantissa });
  await ask("recentTrades", { coin: "ETH" });
  const startTime = Date.now() - 7_200_000;
  await ask("candleSnapshot", { coin: "ETH", interval: "1m", startTime });
  await ask("fundingHistory", { coin: "ETH", startTime });
}

async function account() {
  const of = { user };
  for (const name of [
    "clearinghouseState", "spotClearinghouseState", "openOrders", "frontendOpenOrders",
    "historicalOrders", "userFills", "userTwapSliceFills", "twapHistory", "portfolio", "userFees",
    "userRateLimit", "userRole", "extraAgents", "approvedBuilders", "subAccounts", "subAccounts2",
    "referral", "leadingVaults",
    "webData2", "userAbstraction", "userDexAbstraction", "legalCheck", "isVip",
    "userToMultiSigSigners", "userVaultEquities", "delegations", "delegatorHistory",
    "delegatorRewards", "delegatorSummary", "userNonFundingLedgerUpdates", "userFunding",
  ]) await ask(name, of);
  await ask("userFills", { user, aggregateByTime: true });
  const range = { user, startTime: 0 };
  await ask("userFillsByTime", range);
  await ask("userFillsByTime", { ...range, aggregateByTime: true, reversed: true });
  await ask("userTwapSliceFillsByTime", range);
  await ask("userNonFundingLedgerUpdates", range);
  await ask("userFunding", range);
  await ask("activeAssetData", { user, coin: "ETH" });
  await ask("orderStatus", { user, oid: 1 });
  await ask("maxBuilderFee", { user, builder: "0x" + "b".repeat(40) });
  await ask("preTransferCheck", { user, source: user });
}

async function orders() {
  // Large ones: the SDK takes a small hexadecimal number for an order's number.
  const cloid = (n) => "0xC0FFEE" + n.toString(16).padStart(26, "0");
  await act("updateLeverage", { asset: 0, isCross: true, leverage: 10 });
  await act("order", { orders: [order("2990.50")], grouping: "na" });
  const placed = await act("order", {
    orders: [order("2980", { c: cloid(1) }), order("2970.0", { t: { limit: { tif: "Alo" } } })],
    grouping: "na",
  });
  await ask("orderStatus", { user, oid: oidOf(placed) });
  await ask("orderStatus", { user, oid: cloid(1) });
  await act("modify", { oid: oidOf(placed), order: order("2981", { c: cloid(2) }) });
  const moved = await act("batchModify", {
    modifies: [{ oid: cloid(2), order: order("2982", { c: cloid(3) }) }],
  });
  await ask("orderStatus", { user, oid: oidOf(moved) });
  await ask("openOrders", { user });
  await ask("frontendOpenOrders", { user });
  await act("cancelByCloid", { cancels: [{ asset: 0, cloid: cloid(3) }] });
  const open = await info.openOrders({ user });
  await act("cancel", { cancels: open.map(({ oid }) => ({ a: 0, o: oid })) });
  await act("cancel", { cancels: [{ a: 0, o: open[0].oid }] });
  // At market, over several levels, with a profit to be taken and a loss to be stopped.
  await act("order", {
    orders: [
      order("3100", { s: "2.5", t: { limit: { tif: "FrontendMarket" } } }),
      trigger("3090", "tp", "2900"),
      trigger("2950", "sl", "2800"),
    ],
    grouping: "normalTpsl",
  });
  await ask("clearinghouseState", { user });
  await ask("frontendOpenOrders", { user });
  await act("order", {
    orders: [order("2900", { b: false, s: "0.5", r: true, t: { limit: { tif: "Ioc" } } })],
    grouping: "na",
  });
  await act("order", { orders: [order("2990.123")], grouping: "na" });
  await act("order", { orders: [order("2990", { s: "0.001" })], grouping: "na" });
  await act("order", { orders: [order("3001", { t: { limit: { tif: "Alo" } } })], grouping: "na" });
  await act("scheduleCancel", { time: Date.now() + 60_000 });
  await act("noop", { nonce: Date.now() + 1_000 });
}

async function twaps() {
  const twap = { a: 0, b: false, s: "1.100", r: true, m: 5, t: false };
  await act("twapOrder", { twap });
  const second = await act("twapOrder", { twap: { ...twap, b: true, r: false, t: true } });
  const twapId = second.response.data.status.running.twapId;
  await sleep(1_000);
  await act("twapCancel", { a: 0, t: twapId });
  await act("twapCancel", { a: 0, t: twapId });
  await act("twapOrder", { twap: { ...twap, s: "0.01" } });
  await act("twapOrder", {
    twap: { ...twap, r: false },
    details: { t: { p: "3500", a: true }, s: null },
  });
}

async function money() {
  await act("usdClassTransfer", { amount: "100.50", toPerp: false });
  await ask("spotClearinghouseState", { user });
  await act("usdClassTransfer", { amount: "0.5", toPerp: true });
  await act("usdClassTransfer", { amount: "1000000", toPerp: true });
  await act("usdSend", { destination: "0x" + "9".repeat(40), amount: "10" });
  await act("withdraw3", { destination: user, amount: "5.0" });
  await act("reserveRequestWeight", { weight: 10 });
  await act("setReferrer", { code: "CODE" });
  await act("createSubAccount", { name: "maker" });
  await act("approveBuilderFee", { maxFeeRate: "0.01%", builder: "0x" + "b".repeat(40) });
  await ask("approvedBuilders", { user });
  const agent = new Wallet(agentKey);
  await act("approveAgent", { agentAddress: agent.address, agentName: "bot" });
  await ask("extraAgents", { user });
  await ask("userRole", { user: agent.address });
  const hand = new hl.ExchangeClient({ transport: http, wallet: agent });
  const builder = { b: "0x" + "b".repeat(40), f: 10 };
  const placed = await call("exchange", hand, "order", {
    orders: [order("2960")], grouping: "na", builder,
  });
  await call("exchange", hand, "cancel", { cancels: [{ a: 0, o: oidOf(placed) }] });
}

async function isolated() {
  const open = await info.openOrders({ user });
  await act("cancel", { cancels: open.map(({ oid }) => ({ a: 0, o: oid })) });
  const { assetPositions } = await info.clearinghouseState({ user });
  for (const { position } of assetPositions) {
    const long = Number(position.szi) > 0;
    await act("order", {
      orders: [order(long ? "2900" : "3100", {
        b: !long, s: position.szi.replace("-", ""), r: true, t: { limit: { tif: "Ioc" } },
      })],
      grouping: "na",
    });
  }
  await act("updateLeverage", { asset: 0, isCross: false, leverage: 5 });
  await act("order", {
    orders: [order("3100", { t: { limit: { tif: "Ioc" } } })],
    grouping: "na",
  });
  await act("updateIsolatedMargin", { asset: 0, isBuy: true, ntli: 10_000_000 });
  await act("topUpIsolatedOnlyMargin", { asset: 0, leverage: "2.0" });
  await ask("activeAssetData", { user, coin: "ETH" });
  await ask("clearinghouseState", { user });
}

async function builderDeployed() {
  const dex = "xyz";
  await act("sendAsset", {
    destination: user, sourceDex: "", destinationDex: dex, token: "USDC", amount: "1000",
    fromSubAccount: "",
  });
  await act("order", { orders: [order("2950", { a: 110_000 })], grouping: "na" });
  await ask("clearinghouseState", { user, dex });
  await ask("openOrders", { user, dex });
  await ask("frontendOpenOrders", { user, dex });
  await ask("l2Book", { coin: "xyz:XYZ100" });
}

async function overWebsocket() {
  const asker = new hl.InfoClient({ transport: ws });
  const actor = new hl.ExchangeClient({ transport: ws, wallet: own });
  await call("info", asker, "l2Book", { coin: "ETH", nSigFigs: 4 });
  await call("info", asker, "clearinghouseState", { user });
  const placed = await call("exchange", actor, "order", {
    orders: [order("2965")], grouping: "na",
  });
  await call("exchange", actor, "cancel", { cancels: [{ a: 0, o: oidOf(placed) }] });
  await call("exchange", actor, "cancel", { cancels: [{ a: 0, o: oidOf(placed) }] });
}

async function subscriptions() {
  const client = new hl.SubscriptionClient({ transport: ws });
  const subscribed = [];
  const listen = async (name, ...given) => {
    const heard = (data) => note("event", name, { given, data });
    try {
      subscribed.push(await client[name](...given, heard));
    } catch (error) {
      note("event", name, { given, error: String(error.message) });
    }
  };
  const coin = { coin: "ETH" }, of = { user };
  await listen("allMids");
  await listen("assetCtxs");
  await listen("allDexsAssetCtxs");
  await listen("fastAssetCtxs");
  await listen("activeAssetCtx", coin);
  await listen("bbo", coin);
  await listen("trades", coin);
  await listen("candle", { ...coin, interval: "1m" });
  await listen("l2Book", coin);
  await listen("l2Book", { ...coin, fast: true });
  await listen("l2Book", { ...coin, nSigFigs: 3 });
  await listen("l2Book", { ...coin, nSigFigs: 5, mantissa: 5 });
  await listen("activeAssetData", { ...coin, ...of });
  await listen("allMids", { dex: "xyz" });
  await listen("assetCtxs", { dex: "xyz" });
  for (const name of ["clearinghouseState", "openOrders", "twapStates"]) {
    await listen(name, { ...of, dex: "xyz" });
  }
  for (const name of [
    "clearinghouseState", "allDexsClearinghouseState", "openOrders", "orderUpdates", "userEvents",
    "userFills", "userFundings", "userHistoricalOrders", "userNonFundingLedgerUpdates",
    "userTwapHistory", "userTwapSliceFills", "twapStates", "spotState", "notification", "webData3",
  ]) await listen(name, of);
  return async () => {
    for (const one of subscribed) await one.unsubscribe();
  };
}

await ws.ready();
await info.clearinghouseState({ user }); // opens the account
const end = await subscriptions();
await information();
await account();
await orders();
await twaps();
await sleep(3_500); // a whole TWAP of five minutes, at the venue's speed
await account();
await money();
await isolated();
await builderDeployed();
await overWebsocket();
await account();
await end();
note("done", "done", {});
await ws.close();
