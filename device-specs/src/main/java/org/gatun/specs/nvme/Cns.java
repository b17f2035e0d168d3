package org.gatun.specs.nvme;

/** Controller or Namespace Structure: what an Identify command returns (Base 5.17.1). */
public final class Cns {
  /** 00h: Identify Namespace of the NVM Command Set: {@link IdentifyNamespace}. */
  public static final int NAMESPACE = 0x00;

  /** 01h: Identify Controller: {@link IdentifyController}. */
  public static final int CONTROLLER = 0x01;

  /** 02h: Active Namespace ID list, of those greater than NSID: {@link NamespaceList}. */
  public static final int ACTIVE_NAMESPACE_LIST = 0x02;

  /** 03h: Namespace Identification Descriptor list: {@link NamespaceDescriptor}. */
  public static final int NAMESPACE_DESCRIPTOR_LIST = 0x03;

  /** 04h: NVM Set List. */
  public static final int NVM_SET_LIST = 0x04;

  /** 05h: I/O Command Set specific Identify Namespace. */
  public static final int COMMAND_SET_NAMESPACE = 0x05;

  /** 06h: I/O Command Set specific Identify Controller. */
  public static final int COMMAND_SET_CONTROLLER = 0x06;

  /** 07h: I/O Command Set specific Active Namespace ID list. */
  public static final int COMMAND_SET_ACTIVE_NAMESPACE_LIST = 0x07;

  /** 08h: I/O Command Set Independent Identify Namespace. */
  public static final int COMMAND_SET_INDEPENDENT_NAMESPACE = 0x08;

  /** 10h: Allocated Namespace ID list. */
  public static final int ALLOCATED_NAMESPACE_LIST = 0x10;

  /** 11h: Identify Namespace of an allocated namespace. */
  public static final int ALLOCATED_NAMESPACE = 0x11;

  /** 12h: controllers attached to a namespace. */
  public static final int NAMESPACE_CONTROLLER_LIST = 0x12;

  /** 13h: controllers of the NVM subsystem. */
  public static final int CONTROLLER_LIST = 0x13;

  /** 14h: Primary Controller Capabilities. */
  public static final int PRIMARY_CONTROLLER_CAPABILITIES = 0x14;

  /** 15h: Secondary Controller list. */
  public static final int SECONDARY_CONTROLLER_LIST = 0x15;

  /** 16h: Namespace Granularity List. */
  public static final int NAMESPACE_GRANULARITY_LIST = 0x16;

  /** 17h: UUID List. */
  public static final int UUID_LIST = 0x17;

  /** 1Ch: Identify I/O Command Set data structure. */
  public static final int COMMAND_SET_COMBINATIONS = 0x1c;

  private Cns() {}
}
