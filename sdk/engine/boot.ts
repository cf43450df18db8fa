/**
 * Names of owners and workers. On a stack whose processes end together (the embedded one) a name says
 * of which start it is: leases and claims of an earlier start are over, whatever time they had left.
 */
export function ownerName(boot: string | undefined, id: string): string {
  return boot === undefined ? id : `${boot}/${id}`;
}

export function isOfEarlierBoot(owner: string, boot: string | undefined): boolean {
  return boot !== undefined && !owner.startsWith(`${boot}/`);
}
