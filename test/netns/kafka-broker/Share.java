import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A consumer of a share group (KIP-932): `BROKER TOPIC COUNT`. Prints what came of it. */
public class Share {
  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("group.id", "sharers");
    settings.put("request.timeout.ms", "30000");
    settings.put("default.api.timeout.ms", "60000");
    try {
      begin(settings);
    } catch (Exception error) {
      System.err.println(error.getMessage()); // an administrator has done it, or nobody may
    }
    try (var consumer = new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(args[1]));
      int count = Integer.parseInt(args[2]);
      int seen = 0;
      long end = System.currentTimeMillis() + 80_000;
      while (seen < count && System.currentTimeMillis() < end)
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) seen++;
      System.out.println("shared " + Math.min(seen, count));
    } catch (Exception error) {
      System.out.println(error.getClass().getSimpleName() + " " + error.getMessage());
    }
    System.exit(0);
  }

  /** The group reads from the beginning of its topics. */
  static void begin(Properties settings) throws Exception {
    try (var admin = Admin.create(settings)) {
      var group = new ConfigResource(ConfigResource.Type.GROUP, "sharers");
      var earliest = new ConfigEntry("share.auto.offset.reset", "earliest");
      admin.incrementalAlterConfigs(Map.of(group, List.of(new AlterConfigOp(earliest, AlterConfigOp.OpType.SET)))).all().get();
    }
  }
}
