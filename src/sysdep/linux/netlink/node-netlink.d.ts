/** node-netlink 0.0.4 has no types of its own. */
declare module "node-netlink" {
  const netlink: import("./node-netlink-connection.ts").NodeNetlinkLibrary;
  export = netlink;
}
