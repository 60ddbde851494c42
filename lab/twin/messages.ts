import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { waitFor } from "../wait.ts";
import type { Delivery } from "./queues.ts";
import { ACCOUNT } from "./template.ts";
import { passTime } from "./time.ts";
import type { Twin } from "./twin.ts";

/** The stack's queues. */
export type QueueName = "jobs.fifo" | "jobs-dead.fifo" | "pages" | "pages-dead";

const urlOf = ({ settings }: Twin, queue: QueueName): string => `${settings.endpoint}/${ACCOUNT}/relight-prod-${queue}`;

/** Sends a message to a queue, bypassing the proxy; for a FIFO queue with its own group and deduplication id. */
export async function sendTo(
  twin: Twin,
  queue: QueueName,
  body: string,
  fifo: { readonly group?: string; readonly id?: string } = {},
): Promise<void> {
  const client = new SQSClient(twin.settings);
  const { group = "group", id = crypto.randomUUID() } = fifo;
  const more = queue.endsWith(".fifo") ? { MessageGroupId: group, MessageDeduplicationId: id } : {};
  await client.send(new SendMessageCommand({ QueueUrl: urlOf(twin, queue), MessageBody: body, ...more }));
  client.destroy();
}

/** Sends a job on the account as another version or another program may write it. */
export function sendJob(twin: Twin, account: string, more: object = {}): Promise<void> {
  const id = crypto.randomUUID();
  const job = {
    account,
    trigger: "webhook",
    reason: "a test",
    action: "remediate",
    id,
    correlation: id,
    ...more,
  };
  return sendTo(twin, "jobs.fifo", JSON.stringify(job), { group: account });
}

/** Sends an event to a bus like CloudWatch or Relight; rules decide where it goes. */
export async function putEvent(
  twin: Twin,
  event: {
    readonly bus: string;
    readonly source: string;
    readonly type: string;
    readonly resources?: string[];
  },
  detail: object,
): Promise<void> {
  const client = new EventBridgeClient(twin.settings);
  const { bus: EventBusName, source: Source, type: DetailType, resources: Resources = [] } = event;
  const Entries = [{ EventBusName, Source, DetailType, Resources, Detail: JSON.stringify(detail) }];
  const { FailedEntryCount } = await client.send(new PutEventsCommand({ Entries }));
  client.destroy();
  if (FailedEntryCount !== 0) throw new Error("the bus did not accept the event");
}

/** How many messages wait in a queue, and how many are hidden because they were delivered. */
export async function countIn(twin: Twin, queue: QueueName): Promise<{ waiting: number; hidden: number }> {
  const client = new SQSClient(twin.settings);
  const command = new GetQueueAttributesCommand({ QueueUrl: urlOf(twin, queue), AttributeNames: ["All"] });
  const { Attributes = {} } = await client.send(command);
  client.destroy();
  const { ApproximateNumberOfMessages: waiting, ApproximateNumberOfMessagesNotVisible: hidden } = Attributes;
  return { waiting: Number(waiting), hidden: Number(hidden) };
}

/** The bodies of the waiting messages, which stay in the queue. */
export async function bodiesIn(twin: Twin, queue: QueueName): Promise<readonly string[]> {
  const client = new SQSClient(twin.settings);
  const command = { QueueUrl: urlOf(twin, queue), MaxNumberOfMessages: 10, VisibilityTimeout: 0 };
  const { Messages = [] } = await client.send(new ReceiveMessageCommand(command));
  client.destroy();
  return Messages.map(({ Body = "" }) => Body);
}

/** The function that receives the messages. */
export type Taker = "remediate" | "escalate";

/** The deliveries of messages whose text contains `part`, oldest first. */
export function deliveriesOf(
  { queues }: Pick<Twin, "queues">,
  part: string,
  by: Taker = "remediate",
): readonly Delivery[] {
  return queues.deliveries.filter(
    ({ function: name, messages: [message] }) => name === by && message?.Body?.includes(part) === true,
  );
}

/** Waits until this many deliveries are over. */
export async function isDelivered(twin: Twin, part: string, times: number, by: Taker = "remediate"): Promise<void> {
  const isOver = (): boolean =>
    deliveriesOf(twin, part, by).filter(({ failed }) => failed !== undefined).length >= times;
  await waitFor(`delivery ${times} of ${part} to be over`, isOver, { timeout: 120_000 });
}

/** Waits for the delivery `from` of a job, and redelivers it until the queue is done with it. */
export function redeliverJob(twin: Twin, account: string, from = 1): Promise<readonly Delivery[]> {
  return giveOutUntilDone(twin, account, { from, by: "remediate", pass: () => passTime(twin, account) });
}

/** The same for a page, whose message comes again after two minutes. */
export function redeliverPage(twin: Twin, key: string, from = 1): Promise<readonly Delivery[]> {
  const pass = (): Promise<number> => passTime(twin, key, `page/${key}`);
  return giveOutUntilDone(twin, key, { from, by: "escalate", pass });
}

async function giveOutUntilDone(
  twin: Twin,
  part: string,
  { from, by, pass }: { readonly from: number; readonly by: Taker; readonly pass: () => Promise<number> },
): Promise<readonly Delivery[]> {
  let wanted = from;
  do {
    await isDelivered(twin, part, wanted, by);
    // Count before time passes, because the next delivery may begin meanwhile.
    wanted = deliveriesOf(twin, part, by).length + 1;
  } while ((await pass()) > 0);
  return deliveriesOf(twin, part, by);
}
