import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client: `produce BROKER TOPIC COUNT SIZE`, `consume BROKER TOPIC COUNT`, `list BROKER`. Prints what came of it. */
public class Client {
  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[1]);
    settings.put("max.block.ms", "20000");
    settings.put("delivery.timeout.ms", "20000");
    settings.put("request.timeout.ms", "10000");
    settings.put("default.api.timeout.ms", "20000");
    settings.put("batch.size", "200000");
    settings.put("linger.ms", "20");
    settings.put("max.request.size", "3000000");
    settings.put("group.id", "ships");
    settings.put("auto.offset.reset", "earliest");
    try {
      switch (args[0]) {
        case "produce" -> produce(settings, args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
        case "consume" -> consume(settings, args[2], Integer.parseInt(args[3]));
        default -> System.out.println("topics " + list(settings));
      }
    } catch (Exception error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      System.out.println(cause.getClass().getSimpleName() + " " + cause.getMessage());
      System.exit(1);
    }
    System.exit(0);
  }

  static void produce(Properties settings, String topics, int count, int size) throws Exception {
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      var last = new java.util.ArrayList<java.util.concurrent.Future<?>>();
      for (int i = 0; i < count; i++)
        for (String topic : topics.split(",")) last.add(producer.send(new ProducerRecord<>(topic, "k", i + "x".repeat(size))));
      producer.flush();
      for (var one : last) one.get();
      System.out.println("produced " + last.size());
    }
  }

  static void consume(Properties settings, String topic, int count) {
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic.split(",")));
      int seen = 0;
      long end = System.currentTimeMillis() + 30_000;
      while (seen < count && System.currentTimeMillis() < end)
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) seen++;
      consumer.commitSync();
      System.out.println("consumed " + seen);
    }
  }

  static Object list(Properties settings) throws Exception {
    try (var admin = Admin.create(Map.of("bootstrap.servers", settings.get("bootstrap.servers"), "default.api.timeout.ms", "20000", "request.timeout.ms", "10000"))) {
      return admin.listTopics().names().get();
    }
  }
}
